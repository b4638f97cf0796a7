// The jars that hold the consoles' texts: fetched by Maven's client, checked by hash, read without unpacking.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";

const pinned = JSON.parse(readFileSync(new URL("jars.json", import.meta.url), "utf8"));

/** Reads a jar of the pinned version, and fetches it first where the cache lacks it. */
export function jar(name, cache) {
  const file = join(cache, `${name}-${pinned.version}.jar`);
  if (!existsSync(file)) {
    mkdirSync(cache, { recursive: true });
    execFileSync("mvn", ["-q", "dependency:copy", `-Dartifact=${pinned.group}:${name}:${pinned.version}`, `-DoutputDirectory=${cache}`], { stdio: "inherit" });
  }
  const bytes = readFileSync(file);
  const sum = createHash("sha256").update(bytes).digest("hex");
  if (sum !== pinned.sha256[name]) throw new Error(`${file} has the SHA-256 ${sum}, not the pinned ${pinned.sha256[name]}`);
  return entries(bytes);
}

/** Reads the central directory of a zip: a map from names to functions that return an entry's bytes. */
function entries(zip) {
  let end = zip.length - 22;
  while (end >= 0 && zip.readUInt32LE(end) !== 0x06054b50) end--;
  if (end < 0) throw new Error("no zip file");
  const out = new Map();
  let at = zip.readUInt32LE(end + 16);
  for (let n = zip.readUInt16LE(end + 10); n > 0; n--) {
    const method = zip.readUInt16LE(at + 10);
    const size = zip.readUInt32LE(at + 20);
    const nameLength = zip.readUInt16LE(at + 28);
    const local = zip.readUInt32LE(at + 42);
    const name = zip.toString("utf8", at + 46, at + 46 + nameLength);
    out.set(name, () => {
      const from = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const raw = zip.subarray(from, from + size);
      return method === 0 ? raw : inflateRawSync(raw);
    });
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
  return out;
}
