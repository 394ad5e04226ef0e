/** Which faults are shown, with the states that the API knows. */
export const faultShows = {
  open: { label: "Firing", states: ["firing", "acknowledged"] },
  pending: { label: "Pending", states: ["pending", "suppressed"] },
  ended: { label: "Ended in the last day", states: ["resolved"] },
} as const;
export type FaultShow = keyof typeof faultShows;
export const faultShowNames = Object.keys(faultShows) as FaultShow[];

export const severities = ["critical", "warning", "info"] as const;
export type Severity = (typeof severities)[number];

/** More faults than this are not read by a person. */
export const mostFaults = 500;

/** How many faults a list has that was asked for at most `mostFaults`: `500+` if there may be more. */
export const faultCountText = (count: number): string => `${count}${count < mostFaults ? "" : "+"}`;

/** What a person has chosen on the page of faults. */
export interface FaultState {
  readonly show: FaultShow;
  /** Undefined: every severity. */
  readonly severity: Severity | undefined;
  readonly search: string;
}

/** Reads the query of the URL. A value that means nothing here counts as absent. */
export function faultStateOf(query: string): FaultState {
  const given = new URLSearchParams(query);
  return {
    show: faultShowNames.find((each) => each === given.get("show")) ?? "open",
    severity: severities.find((each) => each === given.get("severity")),
    search: given.get("search") ?? "",
  };
}

/** The query of the URL for a state. */
export function faultQueryOf({ show, severity, search }: FaultState): string {
  const query = new URLSearchParams();
  if (show !== "open") query.set("show", show);
  if (severity !== undefined) query.set("severity", severity);
  if (search.trim() !== "") query.set("search", search.trim());
  return query.size === 0 ? "" : `?${query.toString()}`;
}

/** True if every word of a search is in one of the texts, in upper or lower case. */
export function hasWords(search: string, texts: readonly (string | undefined)[]): boolean {
  const text = texts.join("\n").toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
