import ts from 'typescript-eslint'

// The clock has one door (src/clock.ts), as in the core.
const clock = [
  { selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']", message: 'Ask src/clock.ts for the time.' },
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Ask src/clock.ts for the time.' },
]

export default ts.config(
  { ignores: ['node_modules/', 'dist/'] },
  ...ts.configs.strict,
  {
    rules: {
      'no-restricted-syntax': ['error', ...clock],
      'no-console': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      complexity: ['error', 12],
      'max-lines': ['error', 400],
      'max-params': ['error', 4],
    },
  },
  { files: ['src/clock.ts', 'tests/**'], rules: { 'no-restricted-syntax': 'off' } },
)
