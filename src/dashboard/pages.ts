/** A page of the dashboard. */
interface DashboardPage {
  readonly path: string;
  readonly title: string;
}

/** The pages, by name. The gateway serves the same document for each; the script shows the page of its path. */
export const dashboardPages = {
  fleet: { path: "/", title: "Fleet" },
} as const satisfies Readonly<Record<string, DashboardPage>>;

export type PageName = keyof typeof dashboardPages;
