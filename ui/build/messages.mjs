// The consoles' texts by language: the base theme's, the console's own on top, then what names Keycloak, then ours.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { getProperties } from "properties-file";
import { jar } from "./jars.mjs";

const layers = {
  admin: [["keycloak-themes", "theme/base/admin/messages/"], ["keycloak-admin-ui", "theme/keycloak.v2/admin/messages/"]],
  account: [["keycloak-themes", "theme/base/account/messages/"], ["keycloak-account-ui", "theme/keycloak.v3/account/messages/"]],
};

const tag = (file) => file.slice(file.lastIndexOf("messages_") + "messages_".length, -".properties".length).replaceAll("_", "-");

// The product's name, but where a text speaks of another server's, of its adapters, or of a file format.
const named = /(?<!external |für externe )\bKeycloak\b(?! (?:adapter|OpenID|SAML|OIDC|JSON|\/|example))/g;

/** Gives the product its own name in the texts that mean this server. */
export function branded(text) {
  return text.replace(named, "Latchkey");
}

/** Reads all texts of a console: a map from language tags to texts by key. */
export function messages(console_, cache) {
  const out = new Map();
  const add = (lng, texts) => out.set(lng, { ...out.get(lng), ...texts });
  for (const [name, dir] of layers[console_]) {
    const files = jar(name, cache);
    for (const [file, read] of files) {
      if (!file.startsWith(dir) || !file.endsWith(".properties")) continue;
      const texts = getProperties(read().toString("utf8"));
      for (const key of Object.keys(texts)) texts[key] = branded(texts[key]);
      add(tag(file), texts);
    }
  }
  const own = join("messages", console_);
  for (const file of existsSync(own) ? readdirSync(own) : []) add(tag(file), getProperties(readFileSync(join(own, file), "utf8")));
  return out;
}
