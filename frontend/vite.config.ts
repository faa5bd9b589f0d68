import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// The shell of the page is a Flask template, so the entry is the script itself; the manifest tells Flask the hashed names.
export default defineConfig({
  plugins: [svelte()],
  base: "./",
  publicDir: false,
  build: {
    outDir: "../agnez/server/assets",
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0,
    manifest: "manifest.json",
    modulePreload: { polyfill: false },
    rollupOptions: { input: "src/main.ts" },
    target: "es2022",
  },
});
