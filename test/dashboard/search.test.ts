import { expect, test } from "bun:test";
import { readSearch } from "../../src/dashboard/model/search.ts";

const devices = {
  a: { host: "gpu-01", model: "nvidia h100 80gb hbm3", namespace: "research", pod: "train-0", uuid: "gpu-aaaa" },
  b: { host: "gpu-02", model: "nvidia a100", namespace: "research", pod: "notebook", uuid: "gpu-bbbb:mig:1:1g.10gb" },
  c: { host: "gpu-11", model: "nvidia h100 80gb hbm3", namespace: "", pod: "", uuid: "gpu-cccc" },
};

/** The devices that a search finds. */
function found(text: string): string {
  const read = readSearch(text);
  if ("problem" in read) return read.problem;
  return Object.entries(devices)
    .flatMap(([name, texts]) => (read.search(texts) ? [name] : []))
    .join("");
}

test.each([
  ["", "abc"],
  ["   ", "abc"],
  ["h100", "ac"],
  ["H100 train", "a"],
  ["h100 and train", "a"],
  ["train or notebook", "ab"],
  ["h100 train or a100", "ab"],
  ["h100 (train or a100)", "a"],
  ["not h100", "b"],
  ["-h100", "b"],
  ["h100 -train", "c"],
  ["not (train or notebook)", "c"],
  ["not not h100", "ac"],
  ["host:gpu-0", "ab"],
  ["host:GPU-01 or uuid:cccc", "ac"],
  ["namespace:research -pod:train", "b"],
  ["-namespace:research", "c"],
  // a whole name, not a part of one
  ["pod:=train", ""],
  ["namespace:=Research pod:=train-0", "a"],
  ['model:="nvidia a100"', "b"],
  ['"80gb hbm3"', "ac"],
  ['model:"h100 80gb" host:gpu-1', "c"],
  // a hyphen within a word, and a colon after one, are parts of it
  ["gpu-bbbb:mig:1", "b"],
  ['"not"', "b"],
  ["notebook", "b"],
])("%p finds %p", (text, names) => {
  expect(found(text)).toBe(names);
});

test.each([
  ["hots:gpu-01", "no field hots:"],
  ["host:", "after host:"],
  ["h100 or", "word is missing"],
  ["or h100", "word is missing"],
  ["not", "word is missing"],
  ["(h100", "( without its )"],
  ["h100)", ") without its ("],
  ['"h100', "quote has no end"],
  ['""', "after the quote"],
])("%p is no search, and the page says why", (text, problem) => {
  expect(found(text)).toContain(problem);
});
