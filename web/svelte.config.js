import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

// Styles of components go to files: the pages' policy (style-src 'self') blocks a <style> that a script adds.
export default { preprocess: vitePreprocess(), compilerOptions: { css: 'external' } };
