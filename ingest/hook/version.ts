/** Of this client, as heartbeats tell it; the client is one file that knows no package. */
export const CLIENT_VERSION = '0.1.0';
