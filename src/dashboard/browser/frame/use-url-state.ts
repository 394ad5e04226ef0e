import { useCallback, useEffect, useRef, useState } from "preact/hooks";

/** How a page's state is written in the query of its URL. */
export interface UrlState<State> {
  readonly read: (query: string) => State;
  readonly write: (state: State) => string;
}

/** Changes what is chosen. `isTyping`: the text of one search grows letter by letter, and is one step for the back button. */
export type ChangeState<State> = (change: Partial<State>, isTyping?: boolean) => void;

/** What is chosen on a page, as the URL has it.
 *  @param format the same object at each call */
export function useUrlState<State>(format: UrlState<State>): readonly [State, ChangeState<State>] {
  const [state, setState] = useState(() => format.read(location.search));
  const isTypingStep = useRef(false);
  useEffect(() => {
    const follow = (): void => {
      isTypingStep.current = false;
      setState(() => format.read(location.search));
    };
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, [format]);
  const change = useCallback<ChangeState<State>>(
    (changes, isTyping = false) => {
      const next = { ...format.read(location.search), ...changes };
      const query = format.write(next);
      setState(() => next);
      if (query === location.search) return;
      const url = `${location.pathname}${query}`;
      if (isTyping && isTypingStep.current) history.replaceState(null, "", url);
      else history.pushState(null, "", url);
      isTypingStep.current = isTyping;
    },
    [format],
  );
  return [state, change];
}
