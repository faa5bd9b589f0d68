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
    rolldownOptions: {
      input: "src/main.ts",
      // What the page begins with is one file: each further one would cost a connection to a server that also trains.
      output: { codeSplitting: { groups: [{ name: "page", tags: ["$initial"] }] } },
    },
    target: "es2022",
  },
});
