import { useState } from "preact/hooks";
import { messageOf } from "../live/gateway-api.ts";

/** What a page with orders follows. */
interface OrderedPage {
  readonly answers: { readonly me?: { readonly scopes: readonly string[] } | undefined };
  refresh(): Promise<void>;
}

/** What a person orders on a page: whether they may, and what became of the last order. */
export function useOrders(live: OrderedPage) {
  const [said, say] = useState("");
  /** Carries out what a person has asked for, and says what became of it. @param order resolves with what to say */
  const run = async (order: Promise<string>): Promise<void> => {
    say(await order.catch(messageOf));
    await live.refresh();
  };
  return { mayChange: live.answers.me?.scopes.includes("operate") === true, said, run };
}
