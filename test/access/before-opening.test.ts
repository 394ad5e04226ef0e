import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "../../src/config/parse-config.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { checkBeforeOpening } from "../../src/roles/check-before-opening.ts";
import { openRoles } from "../../src/roles/roles.ts";
import { unshownLog } from "../../dev/unshown-log.ts";
import { BarLine } from "../../src/terminal/bar-line.ts";

// What is wrong with the settings' files and keys is told before the embedded database is created, which takes long.

const dir = mkdtempSync(join(tmpdir(), "telemetry-before-opening-"));
afterAll(() => rmSync(dir, { recursive: true }));

const keysFile = join(dir, "keys.json");
const entry = { id: "ci", name: "ci", sha256: "0".repeat(64), scopes: ["read"] };
const withKeys = (expires: string): Record<string, string> => {
  writeFileSync(keysFile, JSON.stringify([{ ...entry, expires }]));
  return { AUTH_KEYS_FILE: keysFile };
};
const settings = (env: Record<string, string>) =>
  parseConfig({ HOST: "0.0.0.0", ROLE: "gateway", DATA_DIR: join(dir, "data"), ...env });
const check = (env: Record<string, string>) => checkBeforeOpening(settings(env), systemClock);

test("a gateway that can have no key ends before its database is created", async () => {
  const surroundings = { clock: systemClock, log: unshownLog(), print: () => undefined };
  const opening = openRoles(settings({}), { ...surroundings, terminal: new BarLine(process.stderr) });
  expect(await opening.catch(String)).toContain("auth_missing");
  expect(existsSync(join(dir, "data"))).toBe(false);
  expect(await check(withKeys("2000-01-01T00:00:00Z")).catch(String)).toContain("auth_missing");
  const missing = await check({ AUTH_KEYS_FILE: join(dir, "absent") }).catch(String);
  expect(missing).toMatch(/auth_missing.*\n.*AUTH_KEYS_FILE=.*absent cannot be read/);
});

test("a gateway that has a key, or whose database may have one, is opened", async () => {
  await check(withKeys("2090-01-01T00:00:00Z"));
  await check({ AUTH_BOOTSTRAP_KEY: `gtp_first_${"0".repeat(64)}` });
  await check({ DATABASE_URL: "postgres://db/telemetry" });
  await check({ HOST: "127.0.0.1" });
  await check({ ROLE: "streamer,collector" });
  mkdirSync(join(dir, "used", "pglite"), { recursive: true });
  await check({ DATA_DIR: join(dir, "used") });
});

test("the files of TLS and the provider's authority are read first", async () => {
  const [cert, key] = [join(dir, "cert.pem"), join(dir, "key.pem")];
  writeFileSync(cert, "none");
  const tls = { TLS_CERT_FILE: cert, TLS_KEY_FILE: key, HOST: "127.0.0.1" };
  expect(await check(tls).catch(String)).toContain(`TLS_KEY_FILE=${key} cannot be read`);
  const provider = {
    AUTH_OIDC_ISSUER: "https://id.example.org",
    AUTH_OIDC_AUDIENCE: "api",
    AUTH_MAPPING_FILE: "m.json",
  };
  const ca = { ...provider, AUTH_OIDC_CA_FILE: join(dir, "absent"), HOST: "127.0.0.1" };
  expect(await check(ca).catch(String)).toContain("AUTH_OIDC_CA_FILE=");
});
