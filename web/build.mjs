// Builds the islands and the stylesheets into dist/ under content-hashed names, and writes dist/manifest.json.
// It is not a dev server: run it again after a change.
import { build } from "esbuild";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { brotliCompressSync, gzipSync } from "node:zlib";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(fileURLToPath(import.meta.url));
const dist = path.join(root, "dist");

const settings = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  legalComments: "none",
  outdir: dist,
  entryNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  metafile: true,
  logLevel: "warning",
};

/** Runs one build and returns `{entry point: file name}` plus its assets `{source: file name}`. */
async function bundle(entryPoints, more) {
  const { metafile } = await build({ ...settings, entryPoints, ...more });
  const names = {};
  for (const [out, info] of Object.entries(metafile.outputs)) {
    const source = info.entryPoint ?? Object.keys(info.inputs)[0];
    if (source) names[source] = path.basename(out);
  }
  return names;
}

await rm(dist, { recursive: true, force: true });

const worker = "node_modules/hls.js/dist/hls.worker.js";
const workers = await bundle([worker], { format: "iife", target: "es2022", entryNames: "hls-worker-[hash]" });
const modules = await bundle(["src/app.ts", "src/player.ts", "src/studio.ts"], {
  format: "esm",
  target: "es2022",
  define: { WORKER_FILE: JSON.stringify(workers[worker]) },
});
const theme = await bundle(["src/theme.ts"], { format: "iife", target: "es2022" });
const styles = await bundle(["css/app.css", "css/studio-app.css"], {
  target: ["chrome123", "firefox120", "safari17.5"],
  loader: { ".woff2": "file" },
});
const font = Object.keys(styles).find((source) => source.endsWith("-700-normal.woff2"));

const manifest = {
  "app.css": styles["css/app.css"],
  "app.js": modules["src/app.ts"],
  "display.woff2": styles[font],
  "hls-worker.js": workers[worker],
  "player.js": modules["src/player.ts"],
  "studio.css": styles["css/studio-app.css"],
  "studio.js": modules["src/studio.ts"],
  "theme.js": theme["src/theme.ts"],
};
await writeFile(path.join(dist, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);

// Every file also compressed, so that serving it costs nothing.
for (const file of (await readdir(dist)).filter((name) => name !== "manifest.json")) {
  const bytes = await readFile(path.join(dist, file));
  await writeFile(path.join(dist, `${file}.br`), brotliCompressSync(bytes));
  await writeFile(path.join(dist, `${file}.gz`), gzipSync(bytes, { level: 9 }));
}

for (const [name, file] of Object.entries(manifest)) {
  if (!file) throw new Error(`${name} was not built: check its entry point in build.mjs`);
  const bytes = await readFile(path.join(dist, file));
  console.log(`${name.padEnd(14)} ${String(bytes.length).padStart(8)} B  ${String(gzipSync(bytes).length).padStart(7)} B gzip  ${file}`);
}
