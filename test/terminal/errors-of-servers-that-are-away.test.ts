import { expect, test } from "bun:test";
import pino from "pino";
import { Provider } from "../../src/access/oidc/provider.ts";
import { systemClock } from "../../src/kit/clock.ts";
import { Backends } from "../../src/scaling/balancer/backends.ts";
import { LocalExecutor } from "../../src/scaling/executor/local/local-executor.ts";
import { errorEntry } from "../../src/terminal/error-entry.ts";
import { logSerializers } from "../../src/terminal/log.ts";

// A server that is away is no mistake of the program: its error is a sentence, without a stack.

/** A log, and what was written to it. */
function keptLog() {
  const lines: string[] = [];
  const log = pino({ serializers: logSerializers }, { write: (line: string) => void lines.push(line) });
  return { lines, log };
}

const away = "http://127.0.0.1:1";

test("an OpenID provider that is away", async () => {
  const { lines, log } = keptLog();
  const provider = new Provider({
    ...{ issuer: away, client: undefined, keysFile: undefined, ca: undefined, clock: systemClock, log },
    monotonicMs: () => 0,
  });
  await provider.start();
  await provider.stop(AbortSignal.timeout(10_000));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("ECONNREFUSED");
  expect(lines[0]).not.toContain("stack");
});

test("a balancer without gateways", () => {
  const { lines, log } = keptLog();
  const watch = (): Promise<void> => Promise.resolve();
  const backends = new Backends({ watch, responseTimeoutMs: 1000, clock: systemClock, log });
  expect(backends.choose(new Set())).toBeUndefined();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain("no gateway answers");
  expect(lines[0]).not.toContain("stack");
});

test("a supervisor that is away", async () => {
  const error: unknown = await new LocalExecutor({ socket: "/nowhere/supervisor.sock" })
    .check()
    .catch((each: unknown) => each);
  const entry = errorEntry(error);
  expect(entry).toMatchObject({ message: expect.stringContaining("the supervisor does not answer at") as string });
  expect(entry).not.toHaveProperty("stack");
});
