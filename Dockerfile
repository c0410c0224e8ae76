# Affidavit as one image for every role: `docker run IMAGE serve --role ingest`.
FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Packages bring their binaries; none of their scripts is needed, and ours runs when the sources are there.
RUN npm ci --ignore-scripts
COPY . .
RUN npm run -s build && npm prune --omit=dev --ignore-scripts

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
RUN mkdir -m 700 /data /keys && chown node:node /data /keys
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/connectors/simulation/recordings ./connectors/simulation/recordings
USER node
ENV AFFIDAVIT_DATA=/data
VOLUME ["/data"]
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["serve"]
