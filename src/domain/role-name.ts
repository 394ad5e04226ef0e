/** The roles that a process can run; src/roles/ has a file for each. */
export const roleNames = ["streamer", "collector", "gateway"] as const;
export type RoleName = (typeof roleNames)[number];
