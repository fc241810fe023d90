/**
 * Whether a system error's code says that TLS came to nothing: the other side does not speak it, or its certificate is not trusted. Source: Node's
 * documentation of tls, "X509 certificate error codes".
 */
export function isTlsFailure(code: string): boolean {
  return /CERT|^UNABLE_TO_|^ERR_(TLS|SSL)_|^(INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)$/.test(
    code,
  );
}

/** What a person does about it where only the process as a whole knows authorities. */
export const trustFix =
  'let NODE_EXTRA_CA_CERTS name a file with the certificate of the server’s authority, and connect to a host that the certificate names';
