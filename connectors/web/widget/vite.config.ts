import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

// What is loaded later has its style inside and nothing to load before it, so the helper for that is left out. In its
// place: browsers may keep a failed import for good, and another address is another try.
// Source: https://github.com/whatwg/html/issues/6768 (read 2026-11-22)
const HELPER = `export const __vitePreload = (load) =>
  load().catch(() => import(/* @vite-ignore */ String(load).match(/\\.[^.]+\\.js/)[0] + '?' + Math.random()))`
const again: Plugin = {
  name: 'imports-again',
  enforce: 'pre',
  load: (id) => (id === '\0vite/preload-helper.js' ? HELPER : undefined),
}

// The app inside the frame: hashed names, listed in a manifest from which the page is made.
export default defineConfig({
  base: './',
  plugins: [again],
  build: {
    outDir: '../trunkline_web/widget',
    emptyOutDir: true,
    // The policy of the frame allows no data: address for scripts and styles.
    assetsInlineLimit: 0,
    manifest: 'manifest.json',
    modulePreload: false,
    target: 'es2022',
    rollupOptions: { input: { app: 'src/app/main.tsx' } },
  },
  test: {
    environment: 'jsdom',
    environmentOptions: { jsdom: { url: 'https://desk.example.test/widget/frame/wk_test' } },
    include: ['tests/**/*.test.{ts,tsx}'],
    restoreMocks: true,
    testTimeout: 60_000,
  },
})
