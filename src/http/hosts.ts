/** Whether a URL's host name is this machine: `localhost`, `*.localhost` (RFC 6761), 127.0.0.0/8 or ::1. */
export function isLoopback(hostname: string): boolean {
  const host = hostname.toLowerCase();
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '[::1]' ||
    host === '::1' ||
    /^127(?:\.(?:[0-9]{1,3})){3}$/.test(host)
  );
}
