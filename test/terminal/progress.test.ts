import { expect, test } from "bun:test";
import { Progress } from "../../scripts/verify/progress.ts";

/** What is written while work is done, a step each 400 ms. */
function written(isTTY: boolean, steps: number): string {
  let [nowMs, text] = [0, ""];
  const progress = new Progress({ isTTY, write: (part) => (text += part) }, () => nowMs);
  for (let step = 1; step <= steps; step += 1) {
    nowMs += 400;
    progress.show(`step ${step}`);
  }
  progress.end();
  return text;
}

test("work of more than a second shows its progress on a terminal, once a second, and clears the line", () => {
  expect(written(true, 6)).toBe("\r\u001b[Kstep 3\r\u001b[Kstep 6\r\u001b[K");
});

test("short work, and work without a terminal, writes nothing", () => {
  expect(written(true, 2)).toBe("");
  expect(written(false, 6)).toBe("");
});
