import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { keyIdOf } from "../../src/access/key-text.ts";

// What compose.yaml says about the first key, as far as it can be tried without Docker: its own command, and who gets the key how.

interface Service {
  readonly command?: readonly string[];
  readonly user?: string;
  readonly network_mode?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
}

const text = readFileSync(join(import.meta.dir, "../../compose.yaml"), "utf8");
const { services } = parse(text, { merge: true }) as { services: Record<string, Service> };
const folder = mkdtempSync(join(tmpdir(), "compose-key-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the first key is made once, with 256 random bits, and only its owner can read it", () => {
  const [shell = "", option = "", script = ""] = services["first-key"]?.command ?? [];
  expect(script).toContain("chown bun:bun");
  // as compose gives it to the container; the user of the image may not exist here
  const adapted = script.replaceAll("$$", "$").replaceAll("/run/access", folder).replace("chown bun:bun", "true");
  const make = (): string => {
    const { exitCode, stdout } = Bun.spawnSync([shell, option, adapted], { timeout: 10_000 });
    expect([exitCode, stdout.toString(), readdirSync(folder)]).toEqual([0, "", ["first-key"]]);
    return readFileSync(join(folder, "first-key"), "utf8");
  };
  const key = make();
  expect(key).toMatch(/^gtp_first_[0-9a-f]{64}$/);
  expect([keyIdOf(key), statSync(join(folder, "first-key")).mode & 0o777, make()]).toEqual(["first", 0o600, key]);
  rmSync(join(folder, "first-key"));
  expect(make()).not.toBe(key);
});

test("every role of the pipeline reads the key from a file that it cannot change; no other service has it", () => {
  const withKey = Object.entries(services).filter(([, { volumes = [] }]) =>
    volumes.some((each) => each.includes("/run/access")),
  );
  expect(withKey.map(([name]) => name).sort()).toEqual([
    "collector",
    "coordinator",
    "first-key",
    "gateway",
    "streamer",
  ]);
  for (const [name, { environment = {}, volumes }] of withKey) {
    if (name === "first-key") continue;
    expect([name, environment["AUTH_BOOTSTRAP_KEY_FILE"], volumes]).toEqual([
      name,
      "/run/access/first-key",
      ["access:/run/access:ro"],
    ]);
  }
  expect(services["first-key"]).toMatchObject({ network_mode: "none", user: "root" });
  expect(text).not.toContain("AUTH_BOOTSTRAP_KEY:");
});
