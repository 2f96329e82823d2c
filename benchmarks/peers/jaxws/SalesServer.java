import com.sun.net.httpserver.HttpServer;
import com.sun.xml.ws.developer.SchemaValidation;
import java.net.InetSocketAddress;
import java.net.URL;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.jws.WebService;
import javax.xml.transform.Source;
import javax.xml.transform.stream.StreamSource;
import javax.xml.ws.Endpoint;
import sales.Customer;
import sales.OrderLine;
import sales.OrderReceipt;
import sales.OrderedLicense;
import sales.Sales;

/**
 * CreateOrder on the JAX-WS reference implementation: code that wsimport generates from our contract, requests validated
 * against the contract's schema, served by the HTTP server of the JDK.
 *
 * Arguments: the port of 127.0.0.1 and the number of threads; 0: requests are answered in the thread that reads them.
 */
@WebService(
        endpointInterface = "sales.Sales",
        serviceName = "SalesService",
        portName = "SalesSoap11",
        targetNamespace = "urn:opendepot:sales:1",
        wsdlLocation = "sales.wsdl")
// Nobody else validates answers.
@SchemaValidation(outbound = false)
public class SalesServer implements Sales {
    private static final String SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    private static final int TICKET_SYMBOLS = 25;

    private final SecureRandom random = new SecureRandom();

    @Override
    public OrderReceipt createOrder(
            String transactionId,
            String orderNumber,
            String originalOrderNumber,
            String originalTicket,
            Customer customer,
            List<OrderLine> lines) {
        byte[] chance = new byte[TICKET_SYMBOLS + 16];
        random.nextBytes(chance);
        OrderReceipt receipt = new OrderReceipt();
        receipt.setOrderId(orderId(chance));
        receipt.setTicket(ticket(chance));
        int place = 0;
        for (OrderLine line : lines) {
            OrderedLicense license = new OrderedLicense();
            license.setLicenseId(receipt.getOrderId() + "-" + ++place);
            license.setItemNumber(line.getItemNumber());
            license.setQuantity(line.getQuantity());
            receipt.getLicense().add(license);
        }
        return receipt;
    }

    private static String ticket(byte[] chance) {
        StringBuilder text = new StringBuilder(TICKET_SYMBOLS + 4);
        for (int index = 0; index < TICKET_SYMBOLS; index++) {
            if (index > 0 && index % 5 == 0) {
                text.append('-');
            }
            text.append(SYMBOLS.charAt(chance[index] & 31));
        }
        return text.toString();
    }

    private static String orderId(byte[] chance) {
        StringBuilder text = new StringBuilder(32);
        for (int index = TICKET_SYMBOLS; index < chance.length; index++) {
            text.append(Character.forDigit(chance[index] >> 4 & 15, 16)).append(Character.forDigit(chance[index] & 15, 16));
        }
        return text.toString();
    }

    public static void main(String[] arguments) throws Exception {
        // Each refused request is reported with a traceback otherwise, and no contestant keeps a log.
        Logger.getLogger("").setLevel(Level.OFF);
        int threads = Integer.parseInt(arguments[1]);
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 1024);
        if (threads > 0) {
            server.setExecutor(Executors.newFixedThreadPool(threads));
        }
        Endpoint endpoint = Endpoint.create(new SalesServer());
        List<Source> schemas = new ArrayList<>();
        for (String name : new String[] {"sales.xsd", "header.xsd"}) {
            URL schema = SalesServer.class.getResource(name);
            schemas.add(new StreamSource(schema.openStream(), schema.toExternalForm()));
        }
        endpoint.setMetadata(schemas);
        endpoint.publish(server.createContext("/v1/sales"));
        server.start();
    }
}
