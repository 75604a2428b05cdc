// The custom element: one self-contained module with a stable name, for company pages.
import { defineConfig } from 'vite';
import { svelte } from '@sveltejs/vite-plugin-svelte';

export default defineConfig({
  plugins: [svelte()],
  publicDir: false,
  build: {
    target: 'es2022',
    // The pages are there already.
    emptyOutDir: false,
    modulePreload: false,
    // No library build: Vite leaves the white space in those.
    rollupOptions: {
      input: 'src/call/element.svelte.ts',
      preserveEntrySignatures: 'strict',
      output: { format: 'es', entryFileNames: 'cordboard-call.js', inlineDynamicImports: true },
    },
  },
});
