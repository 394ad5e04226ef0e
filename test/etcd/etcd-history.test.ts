import { expect, test } from "bun:test";
import { EtcdHistory, type HistoryHeader } from "../../src/etcd/etcd-history.ts";

const markKey = "/history";

function historyAt(header: Partial<HistoryHeader> = {}): { history: EtcdHistory; changes: string[] } {
  const history = new EtcdHistory();
  const changes: string[] = [];
  history.onChange((what) => changes.push(what));
  history.compare(headerOf(header), history.current);
  return { history, changes };
}

const headerOf = (header: Partial<HistoryHeader>): HistoryHeader => ({
  ...{ cluster_id: "10", revision: "500", raft_term: "3", ...header },
});

test.each([
  ["another cluster", { cluster_id: "255", revision: "900" }, "another cluster answers (id ff, before a)"],
  ["a lower revision", { revision: "499" }, "its revision went back from 500 to 499"],
  ["a higher revision in a lower term", { revision: "900", raft_term: "2" }, "its term went back from 3 to 2"],
])("%s is another history", (_, header, what) => {
  const { history, changes } = historyAt();
  history.compare(headerOf(header), history.current);
  expect(changes).toEqual([what]);
  // from now on, the new history is the known one
  history.compare(headerOf(header), history.current);
  expect([changes.length, history.changes]).toEqual([1, 1]);
});

test("a response that others have overtaken is no other history", () => {
  const { history, changes } = historyAt();
  const before = history.current;
  history.compare(headerOf({ revision: "510" }), before);
  history.compare(headerOf({ revision: "505" }), before);
  expect(history.current?.revision).toBe(510n);
  expect(changes).toEqual([]);
});

test("a late response of the history before counts no more", () => {
  const { history, changes } = historyAt();
  const before = history.current;
  history.compare(headerOf({ revision: "7" }), history.current);
  history.compare(headerOf({ revision: "501" }), before);
  expect(history.current?.revision).toBe(7n);
  expect(changes).toHaveLength(1);
});

test("a mark that is gone or another one is another history, however high the revision is", () => {
  const { history, changes } = historyAt();
  history.compareMark(markKey, undefined);
  history.compareMark(markKey, "a");
  history.compareMark(markKey, "a");
  expect(changes).toEqual([]);
  history.compareMark(markKey, "b");
  history.compareMark(markKey, undefined);
  expect(changes).toEqual(["the mark of this pipeline is another one", "it has no longer the mark of this pipeline"]);
});

test("endpoints that lead to several clusters are said to do so", () => {
  const { history, changes } = historyAt();
  for (const id of ["11", "10"]) history.compare(headerOf({ cluster_id: id }), history.current);
  expect(changes[1]).toContain("ETCD_ENDPOINTS must name members of one cluster");
});

test("waiting for the next change ends with it, or with the signal", async () => {
  const { history } = historyAt();
  const stop = new AbortController();
  const [changed, stopped] = [history.nextChange(new AbortController().signal), history.nextChange(stop.signal)];
  stop.abort();
  expect(await stopped).toBe(false);
  history.compare(headerOf({ revision: "1" }), history.current);
  expect(await changed).toBe(true);
});
