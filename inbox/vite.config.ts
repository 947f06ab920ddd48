import vue from '@vitejs/plugin-vue'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

const desk = process.env['TRUNKLINE_DESK'] ?? 'http://127.0.0.1:8080'

/** Beside each script and style a packed copy: the desk sends it to whoever can unpack it. */
const packed = (): Plugin => ({
  name: 'packed',
  apply: 'build',
  writeBundle({ dir = '.' }) {
    for (const name of readdirSync(`${dir}/assets`)) {
      if (!/\.(js|css)$/.test(name)) continue
      writeFileSync(`${dir}/assets/${name}.gz`, gzipSync(readFileSync(`${dir}/assets/${name}`), { level: 9 }))
    }
  },
})

export default defineConfig({
  base: '/inbox/',
  plugins: [vue(), packed()],
  resolve: { alias: { '@': fileURLToPath(new URL('src', import.meta.url)) } },
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
    __VUE_I18N_FULL_INSTALL__: 'false',
    __VUE_I18N_LEGACY_API__: 'false',
    __INTLIFY_PROD_DEVTOOLS__: 'false',
  },
  build: {
    outDir: '../desk/trunkline_desk/inbox',
    emptyOutDir: true,
    // The policy of the page allows no data: address, so nothing may be inlined as one.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
  },
  server: {
    proxy: { '/api': { target: desk, ws: true } },
  },
  test: {
    environment: 'jsdom',
    environmentOptions: { jsdom: { url: 'https://desk.example.test/inbox/' } },
    include: ['tests/**/*.test.ts'],
    setupFiles: ['tests/setup.ts'],
    restoreMocks: true,
    testTimeout: 60_000,
  },
})
