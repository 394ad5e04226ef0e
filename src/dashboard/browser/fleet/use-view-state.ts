import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { queryOf, type ViewState, viewStateOf } from "../../model/view-state.ts";

/** Changes what is chosen. `isTyping`: the text of one search grows letter by letter, and is one step for the back button. */
export type ChangeView = (change: Partial<ViewState>, isTyping?: boolean) => void;

/** What is chosen on the page, as the URL has it. */
export function useViewState(): readonly [ViewState, ChangeView] {
  const [state, setState] = useState(() => viewStateOf(location.search));
  const isTypingStep = useRef(false);
  useEffect(() => {
    const follow = (): void => {
      isTypingStep.current = false;
      setState(viewStateOf(location.search));
    };
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, []);
  const change = useCallback<ChangeView>((changes, isTyping = false) => {
    const next = { ...viewStateOf(location.search), ...changes };
    const query = queryOf(next);
    setState(next);
    if (query === location.search) return;
    const url = `${location.pathname}${query}`;
    if (isTyping && isTypingStep.current) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    isTypingStep.current = isTyping;
  }, []);
  return [state, change];
}
