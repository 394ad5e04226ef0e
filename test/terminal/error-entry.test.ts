import { expect, test } from "bun:test";
import { errorEntry } from "../../src/terminal/error-entry.ts";

test("the log has the messages of an error's causes, each once", () => {
  const root = new Error("no such file");
  const said = new Error("the block cannot be read: no such file", { cause: root });
  expect(errorEntry(said)).toMatchObject({ type: "Error", message: "the block cannot be read: no such file" });
  const unsaid = new Error("the store failed", { cause: said });
  expect(errorEntry(unsaid)).toMatchObject({ message: "the store failed: the block cannot be read: no such file" });
  root.cause = root;
  expect(errorEntry(root)).toMatchObject({ message: "no such file" });
});

test("anything else that was thrown is logged as it is", () => {
  for (const thrown of ["a text", 5, null, undefined, Object.freeze({ message: "a frozen object" })]) {
    expect(errorEntry(thrown)).toBe(thrown);
  }
  expect(errorEntry(new DOMException("time is up", "TimeoutError"))).toMatchObject({ message: "time is up" });
});
