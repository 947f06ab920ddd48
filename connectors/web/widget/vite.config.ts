import { defineConfig } from 'vitest/config'

// The app inside the frame: hashed names, listed in a manifest from which the page is made.
export default defineConfig({
  base: './',
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
