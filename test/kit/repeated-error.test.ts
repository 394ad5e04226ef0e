import { expect, test } from "bun:test";
import pino from "pino";
import { logSerializers } from "../../src/terminal/log.ts";
import { RepeatedError } from "../../src/kit/repeated-error.ts";

test("an error is logged when it appears, when it changes, and when it has ended", () => {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push((JSON.parse(line) as { msg: string }).msg);
  const error = new RepeatedError({
    log: pino({ serializers: logSerializers }, { write }),
    prefix: "reading is held up",
    ended: "reading continues",
  });
  error.clear();
  expect([error.current, lines]).toEqual([undefined, []]);
  for (const message of ["no answer", "no answer", "refused", "no answer"]) error.record(new Error(message));
  error.record("no answer");
  expect(error.current).toBe("reading is held up: no answer");
  error.clear();
  error.clear();
  expect(error.current).toBeUndefined();
  const logged = (message: string): string => `reading is held up: ${message}`;
  expect(lines).toEqual([logged("no answer"), logged("refused"), logged("no answer"), "reading continues"]);
});

test("a problem that is a text is logged by the log of a process as an error is", () => {
  const lines: unknown[] = [];
  const log = pino(
    { base: null, serializers: logSerializers },
    { write: (line: string) => lines.push(JSON.parse(line)) },
  );
  const problem = new RepeatedError({ log, prefix: "the file", ended: "the file is usable" });
  problem.record("line 3 has no key");
  problem.record(new Error("not found"));
  expect(problem.current).toBe("the file: not found");
  expect(lines).toMatchObject([
    { msg: "the file: line 3 has no key" },
    { msg: "the file: not found", err: { type: "Error" } },
  ]);
  expect(lines[0]).not.toHaveProperty("err");
});
