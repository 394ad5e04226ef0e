import { KeyDirectory } from "../src/access/key-directory.ts";
import type { KeyStore } from "../src/access/key-store.ts";
import { makeKeyText } from "../src/access/key-text.ts";
import { keyIn } from "../src/routes/http/access/credentials.ts";
import { systemClock } from "../src/kit/clock.ts";
import { unshownLog } from "../dev/unshown-log.ts";

// Measures the processor time of the check of one key among 1,000, from the text of the header on.
//
// Usage: bun bench/access.ts

const count = 1000;
const checks = 200_000;
const keys = Array.from({ length: count }, () => makeKeyText());
const stored = keys.map(({ id, sha256 }) => ({
  id,
  sha256,
  name: "bench",
  scopes: ["read"] as const,
  expiresAtMs: undefined,
}));
const directory = new KeyDirectory({
  bootstrapKey: undefined,
  file: undefined,
  store: { valid: () => Promise.resolve(stored) } as unknown as KeyStore,
  maxAgeMs: 60_000,
  needsKeys: true,
  monotonicMs: () => performance.now(),
  clock: systemClock,
  log: unshownLog(),
});
await directory.refresh();

const other = (text: string): string => text.slice(0, -1) + (text.endsWith("A") ? "B" : "A");
const kinds: Record<string, readonly string[]> = {
  "a valid key, Bearer": keys.map(({ text }) => `Bearer ${text}`),
  "a valid key, Basic": keys.map(({ text }) => `Basic ${Buffer.from(`prometheus:${text}`).toString("base64")}`),
  "a wrong secret": keys.map(({ text }) => `Bearer ${other(text)}`),
  "an unknown key": Array.from({ length: count }, () => `Bearer ${makeKeyText().text}`),
};

for (const [kind, headers] of Object.entries(kinds)) {
  let found = 0;
  const begin = process.cpuUsage();
  for (let index = 0; index < checks; index += 1) {
    if (directory.authenticate(keyIn(headers[index % count] as string) ?? "") !== undefined) found += 1;
  }
  const { user, system } = process.cpuUsage(begin);
  const each = ((user + system) / checks).toFixed(2);
  process.stdout.write(`${kind.padEnd(20)} ${each} us of processor time; ${found} of ${checks} are valid\n`);
}
