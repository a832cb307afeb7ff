/** What a test registry can be told to do wrong, and the replies that do it. */

import type { ServerResponse } from 'node:http';

/** One thing that goes wrong with one response. Byte counts are of the body. */
export type Fault =
  /** This answer instead. */
  | { kind: 'status'; status: number; headers?: Record<string, string>; body?: string }
  /** The connection is destroyed after so many bytes (0: before any headers). */
  | { kind: 'drop'; after: number }
  /** Nothing more comes after so many bytes, and the connection stays open (`headers`: not even the headers come). */
  | { kind: 'stall'; after: number | 'headers' }
  /** A chunked body without Content-Length that ends, in good order, after so many bytes. */
  | { kind: 'truncate'; after: number }
  /** A body that never ends, of zeros after the true bytes, without Content-Length. */
  | { kind: 'endless' }
  /** 200 with the whole blob, whatever Range asks for. */
  | { kind: 'ignore-range' }
  /** 206 with as many bytes from elsewhere: the asked range moved by so many bytes, honestly labelled. */
  | { kind: 'shift-range'; by: number }
  /** 206 with only the first so many bytes of the asked range, honestly labelled. */
  | { kind: 'short-range'; length: number }
  /** Headers replaced (or removed, where undefined) on an otherwise honest answer. */
  | { kind: 'headers'; headers: Record<string, string | undefined> }
  /** The true bytes, chunked, without Content-Length. */
  | { kind: 'chunked' }
  /** The body is changed. */
  | { kind: 'body'; change: (body: Uint8Array) => Uint8Array }
  /** A redirect; `store` means a presigned URL of the registry's own store on another port. */
  | { kind: 'redirect'; to: 'store' | string; status?: number }
  /** These raw bytes instead of an HTTP response. */
  | { kind: 'garbage'; bytes: string }
  /** Interim answers without end, and no final one. */
  | { kind: 'interim' }
  /** This status, and a body without end, a byte every 50 ms. */
  | { kind: 'drip'; status: number; headers?: Record<string, string> }
  /** The true body, chunked, a byte a chunk. */
  | { kind: 'crumbs' }
  /** The honest answer, late. */
  | { kind: 'delay'; milliseconds: number };

export interface Reply {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** Sends a reply with its fault; returns the body bytes that were written. */
export async function sendReply(
  response: ServerResponse,
  reply: Reply,
  fault: Fault | undefined,
): Promise<number> {
  const headers = { 'content-length': String(reply.body.length), ...reply.headers };
  const head = (without: string[] = []): void => {
    for (const name of without) delete (headers as Record<string, string>)[name];
    response.writeHead(reply.status, headers);
    response.flushHeaders();
  };
  switch (fault?.kind) {
    case 'garbage':
      response.socket?.end(fault.bytes);
      return 0;
    case 'drop':
      if (fault.after > 0) {
        head();
        await write(response, reply.body.subarray(0, fault.after));
      }
      response.socket?.destroy();
      return Math.min(fault.after, reply.body.length);
    case 'stall':
      if (fault.after === 'headers') return 0;
      head();
      await write(response, reply.body.subarray(0, fault.after));
      return Math.min(fault.after, reply.body.length);
    case 'truncate':
      head(['content-length']);
      response.end(reply.body.subarray(0, fault.after));
      return Math.min(fault.after, reply.body.length);
    case 'chunked':
      head(['content-length']);
      response.end(reply.body);
      return reply.body.length;
    case 'endless':
      head(['content-length']);
      return await writeForever(response, reply.body);
    case 'interim':
      while (isOpen(response)) {
        response.writeProcessing();
        await pause(50);
      }
      return 0;
    case 'drip':
      response.writeHead(fault.status, fault.headers);
      while (isOpen(response)) {
        await write(response, Buffer.from(' '));
        await pause(50);
      }
      return 0;
    case 'crumbs':
      head(['content-length']);
      for (let at = 0; at < reply.body.length && isOpen(response); at++) {
        response.write(reply.body.subarray(at, at + 1));
        if (at % 1000 === 999) await pause(0);
      }
      response.end();
      return reply.body.length;
    case 'delay':
      await new Promise((resolve) => setTimeout(resolve, fault.milliseconds));
      break;
    case 'headers':
      for (const [name, value] of Object.entries(fault.headers)) {
        if (value === undefined) delete (headers as Record<string, string>)[name];
        else (headers as Record<string, string>)[name] = value;
      }
      break;
    case 'body':
      reply = { ...reply, body: fault.change(reply.body) };
      headers['content-length'] = String(reply.body.length);
      break;
  }
  response.writeHead(reply.status, headers);
  response.end(reply.body);
  return reply.body.length;
}

async function write(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve) => response.write(bytes, () => resolve()));
}

async function writeForever(response: ServerResponse, first: Uint8Array): Promise<number> {
  let sent = first.length;
  await write(response, first);
  const zeros = new Uint8Array(64 << 10);
  while (isOpen(response)) {
    await write(response, zeros);
    sent += zeros.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return sent;
}

function isOpen(response: ServerResponse): boolean {
  return !response.destroyed && response.socket !== null && !response.socket.destroyed;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
