import vue from 'eslint-plugin-vue'
import a11y from 'eslint-plugin-vuejs-accessibility'
import ts from 'typescript-eslint'

// The clock has one door (src/clock.ts), as in the core.
const clock = [
  { selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']", message: 'Ask src/clock.ts for the time.' },
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Ask src/clock.ts for the time.' },
]

export default ts.config(
  { ignores: ['src/api/schema.d.ts', 'node_modules/'] },
  ...ts.configs.strict,
  ...vue.configs['flat/recommended'],
  ...a11y.configs['flat/recommended'],
  {
    files: ['**/*.vue'],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
  {
    rules: {
      'no-restricted-syntax': ['error', ...clock],
      'no-console': 'error',
      eqeqeq: 'error',
      complexity: ['error', 10],
      'max-lines': ['error', 400],
      'max-params': ['error', 4],
      'vue/no-v-html': 'error',
      'vue/no-static-inline-styles': 'error',
      'vue/block-order': ['error', { order: ['script', 'template', 'style'] }],
      'vue/component-api-style': ['error', ['script-setup']],
      'vue/define-props-declaration': ['error', 'type-based'],
      'vue/multi-word-component-names': 'off',
      // Layout of the markup is the author's: these rules only make files longer.
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/html-self-closing': 'off',
      'vue/html-closing-bracket-newline': 'off',
      'vue/html-indent': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/require-default-prop': 'off',
      'vue/attributes-order': 'off',
      'vue/first-attribute-linebreak': 'off',
      // A label may wrap its control or point at it; both are read out.
      'vuejs-accessibility/label-has-for': ['error', { required: { some: ['nesting', 'id'] } }],
      'vuejs-accessibility/form-control-has-label': 'off',
      // Customers' recordings have no subtitles that we could point at.
      'vuejs-accessibility/media-has-caption': 'off',
      'vuejs-accessibility/no-autofocus': 'off',
    },
  },
  {
    files: ['src/clock.ts', 'tests/**'],
    rules: { 'no-restricted-syntax': 'off' },
  },
)
