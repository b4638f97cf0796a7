declare module "*.css";
declare module "virtual:reasons" {
  const reasons: { code: string; what: string; notice: string; remedy: string }[];
  export default reasons;
}
