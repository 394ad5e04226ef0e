import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { anyone } from "../../src/access/access.ts";
import { SqlTicketStore } from "../../src/access/sql/sql-ticket-store.ts";
import { Tickets, type TicketStore } from "../../src/access/tickets.ts";
import { openMemoryStore } from "../support/open-store.ts";

let opened: Awaited<ReturnType<typeof openMemoryStore>>;
beforeAll(async () => void (opened = await openMemoryStore()));
afterAll(() => opened.close());

test("a flood of made-up tickets takes few transactions, and a ticket that comes twice at once opens one connection", async () => {
  const stored = new SqlTicketStore(opened.client);
  let transactions = 0;
  const take: TicketStore["take"] = (sha256s) => {
    transactions += 1;
    return stored.take(sha256s);
  };
  const store = Object.assign(new SqlTicketStore(opened.client), { take });
  const tickets = new Tickets(store, { callerOf: () => anyone });
  const ticket = await tickets.issue(anyone);
  const madeUp = Array.from({ length: 500 }, () => randomBytes(32).toString("base64url"));
  const redeemed = await Promise.all([...madeUp, ticket, ticket].map((each) => tickets.redeem(each)));
  expect(redeemed.filter((caller) => caller !== undefined)).toEqual([anyone]);
  expect(transactions).toBe(1);
});
