"use strict";
// What pages ask of an authenticator stands in their element "webauthn", as JSON; the answer goes back by a form.
{
  const unsupported = document.currentScript.dataset.unsupported;
  const byId = (id) => document.getElementById(id);
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const asked = JSON.parse(byId("webauthn")?.textContent ?? "{}");
  const form = byId("register") ?? byId("webauth");
  const said = (value) => (value && value !== "not specified" ? value : undefined);
  const descriptor = (id) => ({ type: "public-key", id: bytes(id) });
  const send = (fields) => {
    for (const [name, value] of Object.entries(fields)) if (value) byId(name).value = value;
    form.requestSubmit();
  };

  const selection = () => {
    const chosen = { authenticatorAttachment: said(asked.authenticatorAttachment), userVerification: said(asked.userVerificationRequirement) };
    chosen.residentKey = said(asked.residentKey) ?? { Yes: "required", No: "discouraged" }[asked.requireResidentKey];
    if (chosen.residentKey) chosen.requireResidentKey = chosen.residentKey === "required";
    return chosen;
  };

  const create = async (button) => {
    const algorithms = asked.signatureAlgorithms.length ? asked.signatureAlgorithms : [-7];
    const made = await navigator.credentials.create({
      publicKey: {
        challenge: bytes(asked.challenge),
        rp: { id: asked.rpId, name: asked.rpEntityName },
        user: { id: bytes(asked.userid), name: asked.username, displayName: asked.username },
        pubKeyCredParams: algorithms.map((alg) => ({ type: "public-key", alg })),
        attestation: said(asked.attestationConveyancePreference),
        authenticatorSelection: selection(),
        timeout: asked.createTimeout ? asked.createTimeout * 1000 : undefined,
        excludeCredentials: asked.excludeCredentialIds.split(",").filter(Boolean).map(descriptor),
      },
    });
    send({
      clientDataJSON: text(made.response.clientDataJSON),
      attestationObject: text(made.response.attestationObject),
      publicKeyCredentialId: text(made.rawId),
      transports: made.response.getTransports?.().join(),
      authenticatorAttachment: made.authenticatorAttachment,
      authenticatorLabel: prompt(button.dataset.prompt, button.dataset.label) ?? button.dataset.label,
    });
  };

  let pending;
  const get = async (options) => {
    pending?.abort();
    pending = new AbortController();
    const known = [...document.querySelectorAll("#authn_select input")].map((input) => descriptor(input.value));
    const found = await navigator.credentials.get({
      publicKey: {
        challenge: bytes(asked.challenge),
        rpId: asked.rpId,
        allowCredentials: asked.isUserIdentified ? known : [],
        userVerification: said(asked.userVerification),
        timeout: asked.createTimeout ? asked.createTimeout * 1000 : undefined,
      },
      signal: pending.signal,
      ...options,
    });
    if (!found) return;
    const remember = byId("rememberMe");
    if (remember) {
      const copy = Object.assign(document.createElement("input"), { type: "hidden", name: "rememberMe", value: remember.checked ? "on" : "off" });
      form.append(copy);
    }
    send({
      clientDataJSON: text(found.response.clientDataJSON),
      authenticatorData: text(found.response.authenticatorData),
      signature: text(found.response.signature),
      credentialId: found.id,
      userHandle: found.response.userHandle && text(found.response.userHandle),
    });
  };

  for (const button of document.querySelectorAll("[data-webauthn]")) {
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        if (!window.PublicKeyCredential) throw unsupported;
        await (button.dataset.webauthn === "create" ? create(button) : get({}));
      } catch (error) {
        send({ error: String(error) });
      }
    });
  }
  for (const button of document.querySelectorAll("[data-retry]")) {
    button.addEventListener("click", () => {
      byId("executionValue").value = button.dataset.retry;
      byId("isSetRetry").value = "retry";
    });
  }

  // A login page offers passkeys by itself. Whoever dismisses the offer types a password instead.
  const offer = async () => {
    if (!asked.mediation || asked.mediation === "none" || asked.isUserIdentified || !window.PublicKeyCredential) return;
    if (asked.authenticatorAttachment === "platform" && !(await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable())) return;
    if (asked.mediation === "conditional" && !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
    await get({ mediation: asked.mediation }).catch(() => {});
  };
  offer();
}
