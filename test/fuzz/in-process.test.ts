import { afterAll, expect, test } from "bun:test";
import type { Subject } from "./subject.ts";
import { allSubjects, readInputs } from "./subjects.ts";

// `bun run test:fuzz` reads more such inputs, and also notices inputs that hang or end the process.

const sliceMs = 500;
const subjects = allSubjects();
afterAll(async () => {
  for (const { close } of subjects) await close?.();
});

test("no mutated input makes a reader fail, or read the same in two ways", async () => {
  const seed = crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
  for (const subject of subjects) {
    const slice = { seed, from: 0, untilMs: performance.now() + sliceMs, count: Infinity };
    const { inputs, wrong } = await readInputs(subject, slice);
    expect({ seed, subject: subject.name, wrong }).toEqual({ seed, subject: subject.name, wrong: undefined });
    expect(inputs).toBeGreaterThan(0);
  }
}, 120_000);

test("an input that is read wrongly is found, with its number, and is the same every time", async () => {
  const wrongAbove = (limit: number): Subject => ({
    name: "wrong",
    run: (random) => {
      if (random() > limit) throw new TypeError("no");
    },
  });
  const slice = { seed: 1, from: 5, untilMs: performance.now() + 60_000, count: 10_000 };
  const first = await readInputs(wrongAbove(0.99), slice);
  expect(first.wrong).toMatchObject({ message: "no" });
  expect(await readInputs(wrongAbove(0.99), slice)).toEqual(first);
  expect(await readInputs(wrongAbove(1), { ...slice, count: 100 })).toEqual({ inputs: 100, wrong: undefined });
});
