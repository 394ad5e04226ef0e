import type { SqlClient } from "../../../../src/db/client.ts";
import { SqlFaultStore } from "../../../../src/faults/sql/sql-fault-store.ts";
import type { FaultNews } from "../../../../src/faults/stored-fault.ts";
import { shortened } from "../invariants.ts";
import { expectedFaults, type StateAt } from "./expected-faults.ts";
import type { Delivery } from "./receiver.ts";
import { brokenName, type Reading } from "./script.ts";

/** What was reported of watched GPUs, and what a receiver was sent about them. */
export interface Watched {
  readonly readings: readonly Reading[];
  readonly deliveries: readonly Delivery[];
}

const maxChanges = 10_000;

/** I11: the changes are numbered without a gap; each fault that follows from the readings was told with its states, once and in order,
 *  at the instants of its records, and no other fault was; what has ended no longer lasts; the receiver was sent what fires and what is
 *  resolved, and only what docs/faults.md allows twice. */
export async function checkFaultsTold({ readings, deliveries }: Watched, database: SqlClient): Promise<string[]> {
  const { queries, ledger } = new SqlFaultStore(database);
  const { news } = await queries.news({ after: 0, limit: maxChanges });
  const lasting = await ledger.lasting("", maxChanges);
  const [leader] = await database.query<{ terms: number; sequence: number }>(
    "select term::float8 as terms, sequence::float8 as sequence from fault_leader",
  );
  const told = [...Map.groupBy(news, ({ fault }) => fault.id)].map(([id, changes]) => ({
    id,
    states: statesOf(changes),
  }));
  const expected = expectedFaults(readings);
  const ended = new Set(told.filter(({ states }) => states.at(-1)?.state === "resolved").map(({ id }) => id));
  const lastsWrongly = lasting.filter(({ id }) => ended.has(id));
  return [
    ...checkNumbers(news, leader?.sequence ?? 0),
    ...differences("told", told.map(textOf), expected.map(textOf)),
    ...lastsWrongly.map(({ id, state }) => `I11: ${id} was told as resolved, and is ${state}`),
    ...differences("sent", sentStates(deliveries), dueStates(readings)),
    ...checkRepeated(deliveries, leader?.terms ?? 0),
  ];
}

/** True if the receiver was sent everything that it has to be sent. */
export function isAllSent({ readings, deliveries }: Watched): boolean {
  const sent = new Set(sentStates(deliveries));
  return dueStates(readings).every((state) => sent.has(state));
}

const statesOf = (changes: readonly FaultNews[]): StateAt[] =>
  changes.map(({ change: { state, atMs } }) => ({ state, atMs }));

function checkNumbers(news: readonly FaultNews[], sequence: number): string[] {
  const numbers = news.map(({ change }) => change.sequence);
  const isGapless = numbers.every((each, index) => each === index + 1) && sequence === numbers.length;
  return isGapless ? [] : [`I11: the changes are numbered ${numbers.join()}, the last number is ${sequence}`];
}

/** A fault in words, without the instants of the broken GPU. */
function textOf({ id, states }: { readonly id: string; readonly states: readonly StateAt[] }): string {
  if (id.startsWith(brokenName)) return `${brokenName}: ${states.map(({ state }) => state).join()}`;
  return `${id}: ${states.map(({ state, atMs }) => `${state} ${atMs}`).join()}`;
}

/** The states that a receiver has to be sent. Whether the broken GPU is one depends on when the first leader has begun. */
function dueStates(readings: readonly Reading[]): string[] {
  return expectedFaults(readings).flatMap(({ id, states }) =>
    id.startsWith(brokenName) ? [] : states.flatMap(({ state }) => (state === "pending" ? [] : `${state} ${id}`)),
  );
}

/** The states that a receiver was sent, those of a delivery once. */
function sentStates(deliveries: readonly Delivery[]): string[] {
  const names = new Map(deliveries.map(({ name, alerts }) => [name, alerts]));
  return [...names.values()].flat().filter((alert) => !alert.startsWith(`firing ${brokenName}`));
}

/** Compares lists in which each element has to be once. */
function differences(what: string, found: readonly string[], expected: readonly string[]): string[] {
  const [isFound, isExpected] = [new Set(found), new Set(expected)];
  return shortened([
    ...expected.filter((each) => !isFound.has(each)).map((each) => `I11: this was not ${what}: ${each}`),
    ...found.filter((each) => !isExpected.has(each)).map((each) => `I11: this should not have been ${what}: ${each}`),
    ...found.filter((each, index) => found.indexOf(each) < index).map((each) => `I11: this was ${what} twice: ${each}`),
  ]);
}

/** A repeated request has the name and the alerts of the first one, and each leader sends it at most once: the receiver always answers
 *  in time. What is resolved arrives after it has fired. */
function checkRepeated(deliveries: readonly Delivery[], terms: number): string[] {
  const wrong: string[] = [];
  for (const [name, requests] of Map.groupBy(deliveries, (each) => each.name)) {
    const bodies = new Set(requests.map(({ alerts }) => alerts.join()));
    if (bodies.size > 1) wrong.push(`I11: the delivery ${name} has had different alerts: ${[...bodies].join(" and ")}`);
    if (requests.length > terms) wrong.push(`I11: ${terms} leaders have sent ${name} ${requests.length} times`);
  }
  const arrived = deliveries.flatMap(({ alerts }) => alerts);
  for (const [index, alert] of arrived.entries()) {
    const [state, id] = alert.split(" ");
    if (state !== "resolved" || arrived.slice(0, index).includes(`firing ${id}`)) continue;
    wrong.push(`I11: ${id} was sent as resolved before it was sent as firing`);
  }
  return shortened(wrong);
}
