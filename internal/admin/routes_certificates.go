package admin

import (
	"io"
	"net/http"

	"latchkey/internal/clients"
	"latchkey/internal/rep"
	"latchkey/internal/web"
)

// certificateRoutes are about the keys of clients.
// Keycloak: ClientAttributeCertificateResource.
func (h *Handler) certificateRoutes() []Route {
	const at = "/admin/realms/{realm}/clients/{client}/certificates/{attr}"
	return []Route{
		{"GET " + at, ViewClients, None, "", h.getCertificate, ByMethod},
		{"POST " + at + "/generate", ManageClient, Action, "CLIENT", h.generateCertificate, NoCache},
		{"POST " + at + "/upload", ManageClient, Action, "CLIENT", h.uploadCertificate, ByMethod},
		{"POST " + at + "/upload-certificate", ManageClient, Action, "CLIENT", h.uploadCertificate, ByMethod},
	}
}

func (h *Handler) getCertificate(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	v := clients.Certificate(cl, c.Path("attr"))
	sees, err := h.seesSecrets(c, cl)
	if !sees {
		v.PrivateKey = ""
	}
	return v, err
}

func (h *Handler) generateCertificate(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	v, err := h.Clients.GenerateCertificate(c, c.Realm, cl, c.Path("attr"))
	if err != nil {
		return nil, err
	}
	c.Represent(&rep.Certificate{Certificate: v.Certificate}) // the private key is for the caller alone
	return v, nil
}

// maxKeyFile bounds an uploaded key, in bytes.
const maxKeyFile = 1 << 20

func (h *Handler) uploadCertificate(c *Call) (any, error) {
	cl, err := clientOf(c)
	if err != nil {
		return nil, err
	}
	if web.MediaType(c.R) != "multipart/form-data" {
		return nil, errMediaType()
	}
	if err := c.R.ParseMultipartForm(maxKeyFile); err != nil {
		return nil, Plain(http.StatusBadRequest, "The form cannot be read")
	}
	text := c.R.FormValue("file")
	if file, _, err := c.R.FormFile("file"); err == nil {
		data, err := io.ReadAll(io.LimitReader(file, maxKeyFile))
		if err != nil {
			return nil, err
		}
		text = string(data)
	}
	v, err := h.Clients.UploadCertificate(c, c.Realm, cl.ID, c.Path("attr"), c.R.FormValue("keystoreFormat"), text)
	if err != nil {
		return nil, refusal(err)
	}
	c.Represent(v)
	return v, nil
}
