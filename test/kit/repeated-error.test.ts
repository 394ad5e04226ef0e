import { expect, test } from "bun:test";
import pino from "pino";
import { RepeatedError } from "../../src/kit/repeated-error.ts";

test("an error is logged when it appears, when it changes, and when it has ended", () => {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push((JSON.parse(line) as { msg: string }).msg);
  const error = new RepeatedError({
    log: pino({}, { write }),
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
