// Three files with fixed names, and nothing in them that depends on the machine or the day: the
// program carries them, and tests compare them with what the sources build.
import { defineConfig } from "vite";

export default defineConfig({
  base: "/",
  build: {
    target: "es2021",
    outDir: "dist",
    modulePreload: false,
    assetsInlineLimit: 0,
    rollupOptions: {
      output: {
        entryFileNames: "console.js",
        banner: "/*! with uPlot (c) Leon Sorokin, MIT license */",
        assetFileNames: "console[extname]",
      },
    },
  },
});
