/* CreateOrder on gSOAP: code that wsdl2h and soapcpp2 generate from our contract, and a pool of threads.
 *
 * Arguments: the port of 127.0.0.1 and the number of threads. A kept-alive connection holds a thread.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "soapH.h"
#include "SalesSoap11.nsmap"

enum { BACKLOG = 1024, ID_BYTES = 16, TICKET_SYMBOLS = 25 };

static SOAP_SOCKET waiting[BACKLOG];
static unsigned put, taken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;

/* Without this, a kept-alive connection would keep what all its requests allocated until it is closed. */
static int release_request(struct soap *soap)
{
    soap_destroy(soap);
    soap_end(soap);
    return SOAP_OK;
}

static void *serve_connections(void *argument)
{
    struct soap *soap = argument;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (put == taken)
            pthread_cond_wait(&filled, &lock);
        soap->socket = waiting[taken++ % BACKLOG];
        pthread_mutex_unlock(&lock);
        soap_serve(soap);
        release_request(soap);
        soap_closesock(soap);
    }
    return NULL;
}

static char *text_of_order_id(struct soap *soap, const unsigned char *bytes)
{
    static const char digits[] = "0123456789abcdef";
    char *text = soap_malloc(soap, 2 * ID_BYTES + 1);
    int index;
    if (text == NULL)
        return NULL;
    for (index = 0; index < ID_BYTES; index++) {
        text[2 * index] = digits[bytes[index] >> 4];
        text[2 * index + 1] = digits[bytes[index] & 15];
    }
    text[2 * ID_BYTES] = '\0';
    return text;
}

/* The id of the order, a hyphen and the place of the line, 1 to 100. */
static char *text_of_license_id(struct soap *soap, const char *order_id, int place)
{
    char *text = soap_malloc(soap, 2 * ID_BYTES + 5);
    char *end = text;
    if (text == NULL)
        return NULL;
    memcpy(end, order_id, 2 * ID_BYTES);
    end += 2 * ID_BYTES;
    *end++ = '-';
    if (place >= 100)
        *end++ = '0' + place / 100;
    if (place >= 10)
        *end++ = '0' + place / 10 % 10;
    *end++ = '0' + place % 10;
    *end = '\0';
    return text;
}

static char *text_of_ticket(struct soap *soap, const unsigned char *bytes)
{
    static const char symbols[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char *text = soap_malloc(soap, TICKET_SYMBOLS + 5);
    char *end = text;
    int index;
    if (text == NULL)
        return NULL;
    for (index = 0; index < TICKET_SYMBOLS; index++) {
        if (index > 0 && index % 5 == 0)
            *end++ = '-';
        *end++ = symbols[bytes[index] & 31];
    }
    *end = '\0';
    return text;
}

int __ns1__CreateOrder(struct soap *soap, struct ns1__CreateOrderRequest *order, struct ns1__CreateOrderAnswer *answer)
{
    unsigned char chance[TICKET_SYMBOLS + ID_BYTES];
    struct ns1__OrderReceipt *receipt;
    int lines, index;
    if (order == NULL)
        return soap->error = SOAP_NO_TAG;
    if (getrandom(chance, sizeof chance, 0) != sizeof chance)
        return soap_receiver_fault(soap, "no random bytes", NULL);
    lines = order->__sizeorderLine;
    receipt = soap_malloc(soap, sizeof *receipt);
    if (receipt == NULL)
        return soap->error = SOAP_EOM;
    soap_default_ns1__OrderReceipt(soap, receipt);
    receipt->ticket = text_of_ticket(soap, chance);
    receipt->orderId = text_of_order_id(soap, chance + TICKET_SYMBOLS);
    receipt->__sizelicense = lines;
    receipt->license = soap_malloc(soap, lines * sizeof *receipt->license);
    if (receipt->ticket == NULL || receipt->orderId == NULL || receipt->license == NULL)
        return soap->error = SOAP_EOM;
    for (index = 0; index < lines; index++) {
        receipt->license[index].licenseId = text_of_license_id(soap, receipt->orderId, index + 1);
        receipt->license[index].itemNumber = order->orderLine[index].itemNumber;
        receipt->license[index].quantity = order->orderLine[index].quantity;
    }
    answer->receipt = receipt;
    return SOAP_OK;
}

/* The rest of the contract, and its SOAP 1.2 port, which the generated dispatcher refers to. */
#define NOT_MEASURED(operation, request, response)                                                                     \
    int operation(struct soap *soap, struct request *order, struct response *answer)                                   \
    {                                                                                                                  \
        (void)order;                                                                                                   \
        (void)answer;                                                                                                  \
        return soap_receiver_fault(soap, "not part of the benchmark", NULL);                                           \
    }
NOT_MEASURED(__ns1__CreateOrder_, ns1__CreateOrderRequest, ns1__CreateOrderAnswer)
NOT_MEASURED(__ns1__GetOrder, ns1__GetOrderRequest, ns1__GetOrderAnswer)
NOT_MEASURED(__ns1__GetOrder_, ns1__GetOrderRequest, ns1__GetOrderAnswer)
NOT_MEASURED(__ns1__ListItems, ns1__ListItemsRequest, ns1__ListItemsAnswer)
NOT_MEASURED(__ns1__ListItems_, ns1__ListItemsRequest, ns1__ListItemsAnswer)
NOT_MEASURED(__ns1__CreateOrders, ns1__CreateOrdersRequest, ns1__CreateOrdersAnswer)
NOT_MEASURED(__ns1__CreateOrders_, ns1__CreateOrdersRequest, ns1__CreateOrdersAnswer)
NOT_MEASURED(__ns1__FindOrders, ns1__FindOrdersRequest, ns1__FindOrdersAnswer)
NOT_MEASURED(__ns1__FindOrders_, ns1__FindOrdersRequest, ns1__FindOrdersAnswer)
NOT_MEASURED(__ns1__CancelOrder, ns1__CancelOrderRequest, ns1__CancelOrderAnswer)
NOT_MEASURED(__ns1__CancelOrder_, ns1__CancelOrderRequest, ns1__CancelOrderAnswer)
NOT_MEASURED(__ns1__WithdrawLicense, ns1__WithdrawLicenseRequest, ns1__WithdrawLicenseAnswer)
NOT_MEASURED(__ns1__WithdrawLicense_, ns1__WithdrawLicenseRequest, ns1__WithdrawLicenseAnswer)
NOT_MEASURED(__ns1__ReplaceLicense, ns1__ReplaceLicenseRequest, ns1__ReplaceLicenseAnswer)
NOT_MEASURED(__ns1__ReplaceLicense_, ns1__ReplaceLicenseRequest, ns1__ReplaceLicenseAnswer)

static void accept_connections(struct soap *soap)
{
    for (;;) {
        SOAP_SOCKET socket = soap_accept(soap);
        if (!soap_valid_socket(socket)) {
            soap_print_fault(soap, stderr);
            continue;
        }
        soap->socket = SOAP_INVALID_SOCKET;
        pthread_mutex_lock(&lock);
        waiting[put++ % BACKLOG] = socket;
        pthread_cond_signal(&filled);
        pthread_mutex_unlock(&lock);
    }
}

int main(int count, char **arguments)
{
    /* SOAP_XML_TREE: a document/literal message has no references between its elements, so none are looked for. */
    struct soap *soap = soap_new1(SOAP_XML_STRICT | SOAP_XML_TREE | SOAP_IO_KEEPALIVE | SOAP_C_UTFSTRING);
    int threads, index;
    if (count != 3) {
        fprintf(stderr, "usage: server PORT THREADS\n");
        return 2;
    }
    threads = atoi(arguments[2]);
    signal(SIGPIPE, SIG_IGN);
    soap->bind_flags = SO_REUSEADDR;
    soap->max_keep_alive = 0; /* no limit */
    soap->fserveloop = release_request;
    if (!soap_valid_socket(soap_bind(soap, "127.0.0.1", atoi(arguments[1]), BACKLOG))) {
        soap_print_fault(soap, stderr);
        return 1;
    }
    for (index = 0; index < threads; index++) {
        pthread_t thread;
        struct soap *copy = soap_copy(soap);
        if (copy == NULL || pthread_create(&thread, NULL, serve_connections, copy) != 0) {
            fprintf(stderr, "cannot start thread %d\n", index);
            return 1;
        }
    }
    accept_connections(soap);
    return 0;
}
