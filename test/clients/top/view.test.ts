import { expect, test } from "bun:test";
import { keysIn } from "../../../scripts/telemetry/top/keys.ts";
import { afterKey, type View } from "../../../scripts/telemetry/top/view.ts";

const start: View = { sort: "gpu", isReversed: false, filter: "", isTyping: false, offset: 0 };
const extent = { rows: 100, page: 20 };

/** The view after keys as a terminal sends them; undefined if one of them leaves. */
function after(input: string, from: View = start): View | undefined {
  return keysIn(input).keys.reduce<View | undefined>((view, key) => view && afterKey(view, key, extent), from);
}

test("keys of xterm, rxvt and the Linux console are known, and sequences of others are left out", () => {
  expect(keysIn("\u001b[A\u001bOB\u001b[5~\u001b[6~\u001b[H\u001b[1~\u001bOF\u001b[4~").keys).toEqual([
    ...["up", "down", "page-up", "page-down", "home", "home", "end", "end"],
  ]);
  expect(keysIn("\u001b[1;5C\u001b[15~a主\r\u007f\u0001\u0003").keys).toEqual([
    "a",
    "主",
    "enter",
    "backspace",
    "ctrl-c",
  ]);
});

test("the beginning of a sequence waits for its end, and Escape before another key is Escape", () => {
  for (const rest of ["\u001b", "\u001b[", "\u001b[5", "\u001bO"])
    expect(keysIn(`a${rest}`)).toEqual({ keys: ["a"], rest });
  expect(keysIn("\u001bq")).toEqual({ keys: ["escape", "q"], rest: "" });
});

test("arrows, pages, Home and End scroll, within the rows", () => {
  const offset = (input: string) => after(input)?.offset;
  expect([
    offset("\u001b[B\u001b[B\u001b[A"),
    offset("\u001b[A"),
    offset("\u001b[6~"),
    offset("\u001b[6~\u001b[5~"),
  ]).toEqual([1, 0, 20, 0]);
  expect([offset("\u001b[F"), offset("\u001b[F\u001b[B"), offset("\u001b[F\u001b[H")]).toEqual([80, 80, 0]);
  expect(afterKey(start, "end", { rows: 3, page: 20 })?.offset).toBe(0);
});

test("s and S choose the column, r reverses, and all show the beginning", () => {
  expect(after("ss")?.sort).toBe("model");
  expect(after("S")?.sort).toBe("age");
  expect(after("\u001b[Br")).toEqual({ ...start, isReversed: true });
});

test("/ types a filter, in which q and s are letters; Enter keeps it, Escape clears it", () => {
  expect(after("/qs\u007f主x")).toMatchObject({ filter: "q主x", isTyping: true, sort: "gpu" });
  const kept = after("/qs\r");
  expect(kept).toMatchObject({ filter: "qs", isTyping: false });
  expect(kept && afterKey(kept, "escape", extent)).toEqual(start);
  expect(afterKey({ ...start, filter: "a", isTyping: true }, "escape", extent)).toEqual(start);
});

test("q and Ctrl-C leave; Ctrl-C also while a filter is typed", () => {
  expect([after("q"), after("\u0003"), after("/a\u0003")]).toEqual([undefined, undefined, undefined]);
});
