// Loads a TypeScript module of src/: bundled in memory by the esbuild that comes with Vite.
import { build } from 'esbuild';

export async function load(path) {
  const entry = new URL(`../../src/${path}`, import.meta.url).pathname;
  const { outputFiles } = await build({ entryPoints: [entry], bundle: true, format: 'esm', write: false });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}
