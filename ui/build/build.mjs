// Builds both consoles into the folder that the server embeds: every file compressed, and a manifest of what the pages need.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { build } from "vite";
import { messages } from "./messages.mjs";
import { notice, packages } from "./notice.mjs";
import { plugin } from "./reasons.mjs";

const out = process.argv[2];
if (!out) throw new Error("usage: node build/build.mjs FOLDER");
const cache = join("node_modules", ".cache", "latchkey");
const made = join(cache, "dist");

const result = await build({
  base: "",
  configFile: false,
  plugins: [plugin],
  logLevel: "error",
  oxc: { jsx: { runtime: "automatic" } },
  // One copy of each: a second one has contexts of its own, and nothing works.
  resolve: { dedupe: ["react", "react-dom", "react-router-dom", "react-i18next", "i18next"] },
  build: {
    outDir: made,
    manifest: true,
    sourcemap: false,
    target: "es2022",
    modulePreload: false,
    reportCompressedSize: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 10_000,
    rollupOptions: { input: { admin: "src/admin/main.tsx", account: "src/account/main.tsx", theme: "src/shared/theme.ts" } },
  },
});
const modules = result.output.flatMap((chunk) => Object.keys(chunk.modules ?? {}));
const names = packages(modules);
for (const one of ["react", "react-dom", "react-router-dom", "react-i18next", "i18next"]) {
  const copies = new Set(modules.filter((m) => m.includes(`/node_modules/${one}/`)).map((m) => m.slice(0, m.indexOf(`/node_modules/${one}/`))));
  if (copies.size > 1) throw new Error(`${one} is in the bundle ${copies.size} times: ${[...copies].join(", ")}`);
}

const manifest = JSON.parse(readFileSync(join(made, ".vite", "manifest.json"), "utf8"));
/** The style sheets of an entry are its own and those of all that it imports. */
function styles(key, seen = new Set()) {
  if (seen.has(key)) return [];
  seen.add(key);
  const chunk = manifest[key];
  return [...(chunk.imports ?? []).flatMap((i) => styles(i, seen)), ...(chunk.css ?? [])];
}
const entry = (key) => ({ script: manifest[key].file, styles: [...new Set(styles(key))] });

for (const old of ["files", "messages", "manifest.json"]) rmSync(join(out, old), { recursive: true, force: true });
const hash = createHash("sha256");
const files = {};
const put = (name, bytes) => {
  const plain = /\.(woff2|png|jpg)$/.test(name);
  const forms = plain
    ? [["", bytes]]
    : [
        [".br", brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } })],
        [".gz", gzipSync(bytes, { level: 9 })],
      ];
  for (const [ending, data] of forms) {
    const at = join(out, "files", name + ending);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, data);
  }
  hash.update(name).update("\0").update(bytes);
  files[name] = { size: bytes.length, plain };
};
const walk = (dir) => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? walk(join(dir, e.name)) : [join(dir, e.name)]));
for (const file of walk(made).sort()) if (!file.includes(".vite")) put(relative(made, file), readFileSync(file));
put("NOTICE.txt", Buffer.from(notice(names)));

const languages = {};
for (const console_ of ["admin", "account"]) {
  languages[console_] = [];
  for (const [lng, texts] of [...messages(console_, join(cache, "jars"))].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const bytes = Buffer.from(JSON.stringify(texts));
    const at = join(out, "messages", console_, lng + ".json.gz");
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, gzipSync(bytes, { level: 9 }));
    hash.update(console_ + lng).update(bytes);
    languages[console_].push(lng);
  }
}
writeFileSync(join(out, "manifest.json"), JSON.stringify({
  version: hash.digest("hex").slice(0, 12),
  admin: entry("src/admin/main.tsx"),
  account: entry("src/account/main.tsx"),
  theme: manifest["src/shared/theme.ts"].file,
  languages,
  files,
}));
const total = walk(out).reduce((n, f) => n + readFileSync(f).length, 0);
console.log(`consoles: ${Object.keys(files).length} files, ${names.length} packages, ${(total / 1e6).toFixed(1)} MB compressed`);
