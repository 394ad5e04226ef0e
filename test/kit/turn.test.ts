import { expect, test } from "bun:test";
import { turnOfOthers } from "../../src/kit/turn.ts";

test("what waits never waits for more than one piece of long work, however much of it there is", async () => {
  let pieces = 0;
  const work = async (): Promise<void> => {
    for (let piece = 0; piece < 20; piece += 1) {
      await turnOfOthers();
      pieces += 1;
    }
  };
  const works = Promise.all([work(), work(), work()]);
  const between: number[] = [];
  while (pieces < 60) {
    const before = pieces;
    await new Promise((resolve) => void setImmediate(resolve));
    between.push(pieces - before);
  }
  await works;
  expect(Math.max(...between)).toBe(1);
});
