/** Choices of the command line. It is loaded with every command, so it imports nothing. */

export const PROFILES = ['developer', 'reviewer', 'administrator'] as const;
export type Profile = (typeof PROFILES)[number];

export const SYSTEMS = ['linux', 'macos', 'windows'] as const;
export type System = (typeof SYSTEMS)[number];

/** As typed on the command line. */
export interface ManagedSettingsOptions {
  readonly os: System;
  readonly url: string;
  readonly profile: Profile;
  readonly identity: readonly string[];
  readonly tokenVariable: string;
  readonly tokenFile?: string;
  readonly node?: string;
  readonly client?: string;
  readonly guards?: string;
  readonly enforce: boolean;
  readonly transcripts: boolean;
  readonly withContent: boolean;
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly cleanupDays: string;
  readonly minimumVersion?: string;
  readonly out?: string;
  readonly force: boolean;
}
