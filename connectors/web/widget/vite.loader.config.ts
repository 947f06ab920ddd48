import { defineConfig } from 'vite'

// The loader: one classic script under a stable name, with no name of its own in the page.
export default defineConfig({
  build: {
    outDir: '../trunkline_web/widget',
    emptyOutDir: false,
    target: 'es2022',
    rollupOptions: {
      input: 'src/loader/main.ts',
      output: { format: 'iife', entryFileNames: 'loader.js' },
    },
  },
})
