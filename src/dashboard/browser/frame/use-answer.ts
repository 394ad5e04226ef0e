import { useEffect, useState } from "preact/hooks";
import { messageOf } from "../live/gateway-api.ts";
import { after } from "../clock.ts";

/** What the gateway has answered to a question of a page: the newest answer, and what went wrong since. */
export interface Answer<Value> {
  readonly value: Value | undefined;
  readonly problem: string | undefined;
}

/** Asks the gateway at first, again when a dependency changes, and then regularly. While it does not answer, the last answer stays.
 *  @param everyMs undefined: it is asked once */
export function useAnswer<Value>(
  ask: () => Promise<Value>,
  everyMs: number | undefined,
  dependencies: readonly unknown[],
): Answer<Value> {
  const [answer, setAnswer] = useState<Answer<Value>>({ value: undefined, problem: undefined });
  useEffect(() => {
    let isOver = false;
    let cancel = (): void => undefined;
    const turn = async (): Promise<void> => {
      try {
        // a page that is not seen need not ask
        const value = document.visibilityState === "visible" ? await ask() : undefined;
        if (!isOver && value !== undefined) setAnswer({ value, problem: undefined });
      } catch (error) {
        const problem = messageOf(error);
        if (!isOver) setAnswer(({ value }) => ({ value, problem }));
      }
      if (!isOver && everyMs !== undefined) cancel = after(everyMs, () => void turn());
    };
    void turn();
    return () => {
      isOver = true;
      cancel();
    };
  }, [everyMs, ...dependencies]);
  return answer;
}
