/** A page of the dashboard. */
interface DashboardPage {
  readonly path: string;
  readonly title: string;
  /** False: the page shows one device or host, to which the others lead. */
  readonly isInMenu: boolean;
}

/** The pages, by name. The gateway serves the same document for each; the script shows the page of its path. */
export const dashboardPages = {
  fleet: { path: "/", title: "Fleet", isInMenu: true },
  faults: { path: "/faults", title: "Faults", isInMenu: true },
  namespaces: { path: "/namespaces", title: "Namespaces", isInMenu: true },
  pipeline: { path: "/pipeline", title: "Pipeline", isInMenu: true },
  host: { path: "/host", title: "Host", isInMenu: false },
  gpu: { path: "/gpu", title: "GPU", isInMenu: false },
} as const satisfies Readonly<Record<string, DashboardPage>>;

export type PageName = keyof typeof dashboardPages;

/** Where the page of a GPU or MIG instance is. */
export const gpuPath = (uuid: string): string =>
  `${dashboardPages.gpu.path}?${new URLSearchParams({ uuid }).toString()}`;

/** Where the page of a host is. */
export const hostPath = (hostname: string): string =>
  `${dashboardPages.host.path}?${new URLSearchParams({ hostname }).toString()}`;

/** Where the fleet page shows the devices that a search finds. */
export const fleetPath = (search: string): string =>
  `${dashboardPages.fleet.path}?${new URLSearchParams({ search }).toString()}`;
