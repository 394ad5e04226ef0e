import { expect, test } from "bun:test";
import { StoreUnavailable, UnusableSource } from "../../src/domain/errors.ts";
import { DeadlineExceeded } from "../../src/kit/within.ts";
import { explainNetworkError } from "../../src/pipeline/source/exporter/scrape-failed.ts";
import { SmiFailed } from "../../src/pipeline/source/nvidia-smi/smi-failed.ts";
import { errorEntry } from "../../src/terminal/error-entry.ts";
import { visibleEntry } from "../../src/terminal/visible-entry.ts";

test("the log has the messages of an error's causes, each once", () => {
  const root = new Error("no such file");
  const said = new Error("the block cannot be read: no such file", { cause: root });
  expect(errorEntry(said)).toMatchObject({ type: "Error", message: "the block cannot be read: no such file" });
  const unsaid = new Error("the store failed", { cause: said });
  expect(errorEntry(unsaid)).toMatchObject({ message: "the store failed: the block cannot be read: no such file" });
  const library = new Error("14 UNAVAILABLE: No connection established. Last error: null. Resolution note: ");
  const translated = new StoreUnavailable("a read failed: 14 UNAVAILABLE: No connection established", {
    cause: library,
  });
  expect(errorEntry(translated)).toMatchObject({ message: translated.message });
  root.cause = root;
  expect(errorEntry(root)).toMatchObject({ message: "no such file" });
});

test("anything else that was thrown is logged as it is", () => {
  for (const thrown of ["a text", 5, null, undefined, Object.freeze({ message: "a frozen object" })]) {
    expect(errorEntry(thrown)).toBe(thrown);
  }
  expect(errorEntry(new DOMException("time is up", "TimeoutError"))).toMatchObject({ message: "time is up" });
});

/** The error of a file that is missing. */
async function missingFile(): Promise<Error> {
  return Bun.file("/no/such/file")
    .text()
    .then(unexpected, (error: Error) => error);
}

function unexpected(): never {
  throw new Error("there is such a file");
}

test("an error of the outside world has no stack in the log, one of the program has it", async () => {
  const missing = await missingFile();
  const refused = await fetch("http://127.0.0.1:1/").then(unexpected, (error: Error) => error);
  for (const expected of [
    ...[
      new SmiFailed("command_failed", "nvidia-smi is away", { cause: missing }),
      explainNetworkError(missing),
      missing,
    ],
    ...[
      refused,
      new StoreUnavailable("store 5 records", { cause: new DeadlineExceeded(1) }),
      new UnusableSource("fleet.csv"),
    ],
    ...[new DOMException("time is up", "TimeoutError")],
  ]) {
    expect([expected.name, errorEntry(expected)]).not.toEqual([
      expected.name,
      expect.objectContaining({ stack: expect.anything() as string }),
    ]);
  }
  const mistake = new TypeError("undefined is not a function");
  for (const own of [new Error("a mistake"), mistake, new StoreUnavailable("store 5 records", { cause: mistake })]) {
    expect(errorEntry(own)).toMatchObject({ stack: expect.stringContaining("    at ") as string });
  }
});

test("on a terminal, an expected error is a sentence: what the entry says, and the causes that it does not name", () => {
  const failed = new SmiFailed("command_failed", "nvidia-smi is away", { cause: new Error("no such command") });
  const lineOf = (err: unknown, msg: string): unknown =>
    JSON.parse(visibleEntry(JSON.stringify({ level: 40, err, msg })));
  const entry = errorEntry(failed);
  const sentence = { level: 40, msg: "GPUs are not read: nvidia-smi is away: no such command" };
  expect(lineOf(entry, "GPUs are not read: nvidia-smi is away")).toEqual(sentence);
  expect(lineOf(entry, "GPUs are not read")).toEqual(sentence);
  expect(lineOf(entry, sentence.msg)).toEqual(sentence);
  expect(lineOf(errorEntry(new Error("a mistake")), "a request failed")).toHaveProperty("err.stack");
});
