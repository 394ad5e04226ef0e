import { expect, test } from "bun:test";
import { errorEntry } from "../../src/terminal/error-entry.ts";

test("the log has the messages of an error's causes, each once", () => {
  const root = new Error("no such file");
  const said = new Error("the block cannot be read: no such file", { cause: root });
  expect(errorEntry(said)).toMatchObject({ type: "Error", message: "the block cannot be read: no such file" });
  const unsaid = new Error("the store failed", { cause: said });
  expect(errorEntry(unsaid).message).toBe("the store failed: the block cannot be read: no such file");
  root.cause = root;
  expect(errorEntry(root).message).toBe("no such file");
});
