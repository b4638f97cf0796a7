# A static binary and nothing else, not run as root.
#
#   docker build -t latchkey .
#   docker run -p 8443:8443 -v latchkey:/data -v ./tls:/tls:ro latchkey start --hostname id.example.org \
#     --https-certificate-file /tls/cert.pem --https-certificate-key-file /tls/key.pem

FROM node:22 AS console
RUN apt-get update && apt-get install -y --no-install-recommends maven
WORKDIR /src
COPY packaging/console packaging/
COPY doc/sessions-reasons.md doc/
COPY ui ui
RUN CONSOLE=yes packaging/console

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=console /src/internal/console/dist internal/console/dist
RUN RSA=boringssl LDFLAGS='-s -w' packaging/build /out/latchkey && mkdir -p /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/latchkey /latchkey
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /
VOLUME /data
EXPOSE 8080 8443 9000
ENV LATCHKEY_DATA_DIR=/data
ENTRYPOINT ["/latchkey"]
CMD ["start"]
