import { afterAll, beforeAll, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mappingFile } from "../../src/access/file/mapping-file.ts";
import { MappedCallers } from "../../src/access/mapped-callers.ts";
import { Provider, type ProviderOptions } from "../../src/access/oidc/provider.ts";
import { TokenCallers } from "../../src/access/oidc/token-callers.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { TestMapping } from "../routes/access/people-gateway.ts";
import { TestProvider } from "../support/openid-provider.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// The keys of a provider: when they are read, and what holds while the provider is away.

let provider: TestProvider;
let mapping: TestMapping;
beforeAll(async () => {
  provider = await TestProvider.start({ gateways: [], people: {} });
  mapping = await TestMapping.make([{ groups: ["readers"], scopes: ["read"] }]);
});
afterAll(async () => {
  await provider.stop();
  await mapping.remove();
});

/** Tokens with a clock for the pauses between readings that the test sets. */
async function tokensWith(options: Partial<ProviderOptions> = {}) {
  const time = { nowMs: 0 };
  const parts = { clock: systemClock, log: unshownLog() };
  const keys = new Provider({
    ...{ issuer: provider.issuer, client: undefined, keysFile: undefined, ca: undefined, ...parts },
    monotonicMs: () => time.nowMs,
    ...options,
  });
  const callers = new MappedCallers({ file: mappingFile(mapping.path), ...parts });
  await callers.refresh();
  const tokens = new TokenCallers({
    provider: keys,
    callers,
    audience: "api",
    groupsClaim: "groups",
    clock: systemClock,
  });
  const identify = async (text: string) => tokens.identify({ kind: "bearer", text });
  return { keys, identify, laterBy: (ms: number) => void (time.nowMs += ms) };
}

test("a key that is not known is looked for at most every 15 s; callers with a key that was removed end", async () => {
  const { identify, laterBy } = await tokensWith();
  const old = await provider.sign();
  const caller = await identify(old);
  expect([caller?.grant.id, await identify(old)]).toEqual(["oidc:alice", caller]);
  await provider.rotateKeys();
  const fresh = await provider.sign();
  expect([await identify(fresh), caller?.hasEnded]).toEqual([undefined, false]);
  laterBy(15_000);
  expect((await identify(fresh))?.grant.id).toBe("oidc:alice");
  expect([caller?.hasEnded, await identify(old)]).toEqual([true, undefined]);
});

test("while the provider is away, known keys stay valid, and a token with another key cannot be checked, which is said", async () => {
  const { identify, laterBy, keys } = await tokensWith();
  const known = await provider.sign({ sub: "bob" });
  expect(await identify(await provider.sign())).toBeDefined();
  await provider.stop();
  laterBy(600_000);
  expect((await identify(known))?.grant.id).toBe("oidc:bob");
  await provider.rotateKeys();
  const fresh = await provider.sign();
  await provider.stop();
  expect(await identify(fresh).catch(String)).toContain("does not answer, so this token cannot be checked");
  expect(keys.error()).toContain("addresses and keys cannot be read; those known before stay valid");
  await provider.restart();
  laterBy(15_000);
  expect([(await identify(fresh))?.grant.id, keys.error()]).toEqual(["oidc:alice", undefined]);
});

test("a provider that never answered lets no token in, and says so; keys of a file need no provider", async () => {
  const nowhere = await tokensWith({ issuer: "http://127.0.0.1:1" });
  expect(await nowhere.identify(await provider.sign()).catch(String)).toContain("ProviderUnavailable");
  const keysFile = join(tmpdir(), `telemetry-keys-${crypto.randomUUID()}.json`);
  await Bun.write(keysFile, await (await fetch(`${provider.issuer}/jwks`)).text());
  const token = await provider.sign();
  await provider.stop();
  const { identify, keys, laterBy } = await tokensWith({ keysFile });
  expect((await identify(token))?.grant.id).toBe("oidc:alice");
  for (const [text, reason] of [
    ['{"keys":[]}', "it has no public key"],
    ['{"keys":[{"kty":"oct","k":"AAAA","kid":"x"}]}', "it has no public key"],
    ["[]", "no JSON Web Key Set"],
    [JSON.stringify({ keys: Array.from({ length: 101 }, () => ({ kty: "RSA" })) }), "at most 100 keys"],
    ["{", "JSON"],
  ] as const) {
    await Bun.write(keysFile, text);
    laterBy(15_000);
    await identify(await provider.sign({}, { kid: "unknown" })).catch(() => undefined);
    expect([text, keys.error()]).toEqual([text, expect.stringContaining(reason)]);
    expect((await identify(token))?.grant.id).toBe("oidc:alice");
  }
  await rm(keysFile);
  await provider.restart();
});

test("an answer of the provider that is too large, redirects, or is for another issuer is no set of keys", async () => {
  const answers: Record<string, () => Response> = {
    "more than 1048576 bytes": () => new Response(" ".repeat(1024 * 1024 + 1)),
    "unexpected HTTP response status code": () =>
      Response.redirect(`${provider.issuer}/.well-known/openid-configuration`),
    "does not match the expected": () =>
      Response.json({ issuer: provider.issuer, jwks_uri: `${provider.issuer}/jwks` }),
  };
  for (const [reason, answer] of Object.entries(answers)) {
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
    const { identify, keys } = await tokensWith({ issuer: `http://127.0.0.1:${server.port}` });
    await identify(await provider.sign()).catch(() => undefined);
    expect(keys.error()).toContain(reason);
    await server.stop(true);
  }
});
