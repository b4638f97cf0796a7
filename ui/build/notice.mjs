// NOTICE: every package of which something ends up in the bundle, those inside the consoles' libraries included, with its licence.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

// What may be in the bundle. Another licence stops the build, for somebody to look at it.
const allowed = ["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "(MIT OR GPL-3.0-or-later)", "Unlicense", "OFL-1.1", "CC0-1.0", "(MIT AND Zlib)"];

const packageOf = (path) => [...path.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)\//g)].map((m) => m[1]).at(-1);

/** Lists the packages of a build's modules and of the source maps of the libraries in it. */
export function packages(modules) {
  const found = new Set();
  const add = (path) => packageOf(path) && found.add(packageOf(path));
  modules.forEach(add);
  for (const console_ of ["admin", "account"]) {
    const lib = join("node_modules", "@keycloak", `keycloak-${console_}-ui`, "lib");
    for (const file of readdirSync(lib).filter((f) => f.endsWith(".js.map"))) JSON.parse(readFileSync(join(lib, file), "utf8")).sources.forEach(add);
  }
  return [...found].sort();
}

/** Writes the notice of packages; throws for a licence that nobody has looked at. */
export function notice(names) {
  const parts = [
    "Latchkey's consoles are made of the packages below and of icons and fonts of PatternFly (Red Hat fonts: SIL Open Font License 1.1; icons: MIT and CC BY 4.0).",
    "Keycloak is a trademark of The Linux Foundation; Latchkey is another product.",
  ];
  for (const name of names) {
    const dir = join("node_modules", name);
    if (!existsSync(join(dir, "package.json"))) {
      parts.push(`${name}\nbuilt into a library above; its licence is that library's notice`);
      continue;
    }
    const about = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
    const licence = typeof about.license === "string" ? about.license : (about.license?.type ?? about.licenses?.[0]?.type ?? "?");
    if (!allowed.includes(licence)) throw new Error(`${name} has the licence ${licence}: look at it, then put it into the list in build/notice.mjs`);
    const file = readdirSync(dir).find((f) => /^(licen[cs]e|copying)/i.test(f));
    parts.push(`${name} ${about.version}\n${licence}${file ? "\n\n" + readFileSync(join(dir, file), "utf8").trim() : ""}`);
  }
  return parts.join("\n\n" + "-".repeat(72) + "\n\n") + "\n";
}
